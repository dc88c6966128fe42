import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AraError } from '../notification/ara-error';

const NAME = 'postgres';

/** Whom the embedded server runs as. */
export interface ServerAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root: then it gets the system user `postgres`, which is created if need be. undefined: it
 * runs as whoever runs Ara.
 */
export function serverAccount(): ServerAccount | undefined {
  if (process.getuid?.() !== 0) return undefined;
  return account() ?? createdAccount();
}

/** Rejects with CONFIG_ERROR when the account cannot get to the path: programs and folders of root often are for root only. */
export function assertReachable(path: string, { name, uid, gid }: ServerAccount): void {
  for (const folder of foldersAbove(path)) {
    const { mode, uid: owner, gid: group } = statSync(folder);
    const search = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & search) === 0) {
      throw new AraError(
        'CONFIG_ERROR',
        `Ara runs as root, so its embedded PostgreSQL runs as the user ${name}, who must not look into ${folder} ` +
          `and so cannot reach ${path}. Run Ara as an ordinary user, or move it and its data out of there`,
      );
    }
  }
}

/** From the root down to the folder that holds the path. */
function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  let folder = dirname(resolve(path));
  for (; folder !== dirname(folder); folder = dirname(folder)) folders.unshift(folder);
  return [folder, ...folders];
}

function account(): ServerAccount | undefined {
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === NAME);
  return fields === undefined ? undefined : { name: NAME, uid: Number(fields[2]), gid: Number(fields[3]) };
}

function createdAccount(): ServerAccount {
  const { status } = spawnSync('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/usr/sbin/nologin',
    NAME,
  ]);
  const created = account();
  if (status !== 0 || created === undefined) {
    throw new AraError(
      'CONFIG_ERROR',
      `PostgreSQL does not run as root, and there is no system user ${NAME} that it could run as. ` +
        'Run Ara as an ordinary user, or create that one',
    );
  }
  return created;
}
