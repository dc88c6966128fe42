'use strict';

/**
 * Fills the folder in the first argument with secrets, and leaves alone what is there: a database that began with one
 * password cannot be opened with another. Runs once, as root with CAP_CHOWN alone, before the services that read them.
 */
const { randomBytes } = require('node:crypto');
const { chownSync, existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('usage: make-secrets.js FOLDER');

/** The user that Ara's image runs as. Grafana and the entrypoint of PostgreSQL read as members of group 0. */
const OWNER = 1000;
const GROUP = 0;

const random = () => randomBytes(32).toString('base64url');
for (const name of ['jwt-secret', 'api-key', 'cluster-secret', 'grafana-password']) provide(name, random);
const password = provide('postgres-password', random);
provide('database-url', () => `postgres://ara:${password}@postgres:5432/ara`);

/** Under its name a secret is there as a whole or not at all. */
function provide(name, make) {
  const path = join(folder, name);
  if (!existsSync(path)) {
    writeFileSync(`${path}.draft`, make(), { mode: 0o440 });
    if (process.getuid() === 0) chownSync(`${path}.draft`, OWNER, GROUP);
    renameSync(`${path}.draft`, path);
  }
  return readFileSync(path, 'utf8');
}
