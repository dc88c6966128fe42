/** What takes part in a bench when it is installed: programs found on the PATH, and servers that the tests start, too. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';

const require = createRequire(import.meta.url);
require('../support/swc-register.cjs');

/** Where a program lies; undefined: it is not there. An environment variable may name it. */
export function program(name, variable) {
  const told = variable && process.env[variable];
  if (told) return told;
  // Debian keeps servers where only root's PATH looks.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** nginx and its module Nchan, as the distribution installs them (Debian: `nginx libnginx-mod-nchan`). */
export function nchan() {
  const nginx = program('nginx');
  if (nginx === undefined) return undefined;
  const folder = /--modules-path=(\S+)/.exec(spawnSync(nginx, ['-V'], { encoding: 'utf8' }).stderr)?.[1];
  const module = join(folder ?? '/usr/lib/nginx/modules', 'ngx_nchan_module.so');
  return existsSync(module) ? { nginx, module } : undefined;
}

/** A Redis of the bench's own, which keeps its data as one in production does; undefined: redis-server is not there. */
export async function startRedis() {
  const redis = require('../support/redis-server.ts');
  return redis.hasRedisServer ? redis.startRedis({ args: ['--appendonly', 'yes'] }) : undefined;
}

/** A PostgreSQL of the bench's own, of the distribution or of npm's optional package; undefined: neither is there. */
export async function startPostgres(log) {
  const { PostgresServer } = require('../support/postgres-server.ts');
  try {
    return await PostgresServer.start();
  } catch (error) {
    log(`no PostgreSQL: ${error.message.split('\n', 1)[0]}`);
    return undefined;
  }
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
