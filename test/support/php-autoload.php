<?php

// What the PHP of docs/ finds loaded: the distribution's packages, and the classes that a page shows as files.
foreach (['Symfony/Component/HttpClient', 'Symfony/Component/Messenger', 'Predis'] as $package) {
    require "$package/autoload.php";
}
spl_autoload_register(static function (string $class): void {
    $file = substr(strrchr("\\$class", '\\'), 1) . '.php';
    if (is_file($file)) {
        require $file;
    }
});
