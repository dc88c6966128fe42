@echo off
rem Runs the load tests one after the other. Exit code: 0 all passed, 1 a test failed, 2 it could not start.
setlocal EnableDelayedExpansion

if /i "%~1"=="-h" goto usage
if /i "%~1"=="--help" goto usage
if /i "%~1"=="help" goto usage
if /i "%~1"=="/?" goto usage

set "which=%~1"
if "%which%"=="" set "which=all"
set "tests="
if /i "%which%"=="websocket" set "tests=websocket"
if /i "%which%"=="ws" set "tests=websocket"
if /i "%which%"=="http-api" set "tests=http-api"
if /i "%which%"=="http" set "tests=http-api"
if /i "%which%"=="batch-api" set "tests=batch-api"
if /i "%which%"=="batch" set "tests=batch-api"
if /i "%which%"=="e2e-load" set "tests=e2e-load"
if /i "%which%"=="e2e" set "tests=e2e-load"
if /i "%which%"=="sse" set "tests=sse"
if /i "%which%"=="all" set "tests=websocket http-api batch-api e2e-load sse"
if "%tests%"=="" goto misused

if not "%~2"=="" set "PROFILE=%~2"
if "%PROFILE%"=="" set "PROFILE=baseline"
set "known="
for %%p in (smoke baseline medium high stress soak spike) do if "%%p"=="%PROFILE%" set "known=1"
if "%known%"=="" goto misused

rem What "npm start" has written for this machine.
set "envfile=%~dp0..\.env"
if exist "%envfile%" (
  if "%JWT_SECRET%%JWT_TOKEN%"=="" for /f "usebackq tokens=1,* delims==" %%a in ("%envfile%") do if "%%a"=="JWT_SECRET" set "JWT_SECRET=%%b"
  if "%API_KEY%"=="" for /f "usebackq tokens=1,* delims==" %%a in ("%envfile%") do if "%%a"=="API_KEY" set "API_KEY=%%b"
)
if "%HOST%"=="" set "HOST=localhost:8081"
if "%WS_HOST%"=="" set "WS_HOST=%HOST%"
if "%API_HOST%"=="" set "API_HOST=%HOST%"
if "%K6%"=="" set "K6=k6"

where "%K6%" >nul 2>nul
if errorlevel 1 (
  echo %K6% is not installed: https://grafana.com/docs/k6/latest/set-up/install-k6/ 1>&2
  exit /b 2
)
set "health=http://%API_HOST%/health"
if not "%API_HOST:://=%"=="%API_HOST%" set "health=%API_HOST%/health"
curl --silent --fail --max-time 10 --output nul "%health%"
if errorlevel 1 (
  echo No service answers at %health%. 1>&2
  exit /b 2
)
if "%JWT_SECRET%%JWT_TOKEN%"=="" (
  echo Set JWT_SECRET, as the service has it, or JWT_TOKEN. 1>&2
  exit /b 2
)

set "failed="
set "leftout="
for %%t in (%tests%) do (
  echo -- %%t, profile %PROFILE%
  call "%K6%" run "%~dp0%%t.js"
  set "code=!errorlevel!"
  rem 108: the script has ended the run itself, because the service is not set up for it, and has said why.
  if "!code!/%%t/%which%"=="108/sse/all" (
    set "leftout=!leftout! %%t"
  ) else if not "!code!"=="0" (
    set "failed=!failed! %%t"
  )
)
if not "%leftout%"=="" echo -- could not be measured:%leftout%
if not "%failed%"=="" (
  echo -- failed:%failed%
  exit /b 1
)
echo -- passed
exit /b 0

:misused
call :help 1>&2
exit /b 2

:usage
call :help
exit /b 0

:help
echo usage: k6\run.bat [test] [profile]
echo.
echo   test      websocket (ws), http-api (http), batch-api (batch), e2e-load (e2e), sse, or all (the default)
echo   profile   smoke, baseline (the default), medium, high, stress, soak, spike
echo.
echo Settings, from the environment: HOST, WS_HOST, API_HOST, JWT_SECRET, JWT_TOKEN, API_KEY, K6, CHANNELS,
echo DURATION or CONNECTION_DURATION, SCENARIO, BATCH_SIZE, JWT_LEEWAY_SECONDS; see k6\README.md.
exit /b 0
