import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientBase } from 'pg';
import { AraError } from '../notification/ara-error';

const FOLDER = join(__dirname, 'migrations');
/** Any number that no other program of this database uses for its own lock. */
const LOCK = 4_170_042;

export interface Migration {
  readonly name: string;
  /** Of the file's text, line ends aside. */
  readonly checksum: string;
  /** undefined: not yet. */
  readonly appliedAt: Date | undefined;
  /** The database got another text than the file now holds. */
  readonly isChanged: boolean;
}

interface AppliedRow {
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: Date;
}

/** All migrations of this version of Ara, in order, and what the database has of them. Changes nothing. */
export async function migrationStatus(client: ClientBase): Promise<Migration[]> {
  const applied = await appliedMigrations(client);
  return migrationFiles().map(({ name, checksum }) => {
    const row = applied.get(name);
    return { name, checksum, appliedAt: row?.applied_at, isChanged: row !== undefined && row.checksum !== checksum };
  });
}

/**
 * Applies what is missing, all or nothing, and says what that was. Any number of processes may call it at once: one works,
 * the others wait for it. A database that a newer Ara has migrated further is left as it is. Rejects with CONFIG_ERROR
 * when the text of an applied migration has changed since.
 */
export async function migrate(client: ClientBase): Promise<string[]> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    const pending = await pendingMigrations(client);
    if (pending.length > 0) await client.query(BOOKKEEPING);
    for (const { name, checksum, text } of pending) {
      await client.query(text);
      await client.query('INSERT INTO ara.migrations (name, checksum) VALUES ($1, $2)', [name, checksum]);
    }
    await client.query('COMMIT');
    return pending.map(({ name }) => name);
  } catch (error) {
    // What went wrong is worth more than what a dead connection says to the rollback.
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

const BOOKKEEPING = `
  CREATE SCHEMA IF NOT EXISTS ara;
  CREATE TABLE IF NOT EXISTS ara.migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  );
`;

interface MigrationFile {
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
}

function migrationFiles(): MigrationFile[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.sql'));
  return names.sort().map((file) => {
    const text = readFileSync(join(FOLDER, file), 'utf8').replaceAll('\r\n', '\n');
    return { name: file.slice(0, -'.sql'.length), text, checksum: createHash('sha256').update(text).digest('hex') };
  });
}

async function pendingMigrations(client: ClientBase): Promise<MigrationFile[]> {
  const applied = await appliedMigrations(client);
  return migrationFiles().filter(({ name, checksum }) => {
    const row = applied.get(name);
    if (row !== undefined && row.checksum !== checksum) {
      throw new AraError(
        'CONFIG_ERROR',
        `The migration ${name} was applied with another text than this version of Ara has; ` +
          'migrations are never edited, only followed by new ones',
      );
    }
    return row === undefined;
  });
}

async function appliedMigrations(client: ClientBase): Promise<Map<string, AppliedRow>> {
  // Asked first, because a role that may only use the tables cannot create what exists already.
  const { rows: known } = await client.query<{ exists: boolean }>(
    "SELECT to_regclass('ara.migrations') IS NOT NULL AS exists",
  );
  if (known[0]?.exists !== true) return new Map();
  const { rows } = await client.query<AppliedRow>('SELECT name, checksum, applied_at FROM ara.migrations');
  return new Map(rows.map((row) => [row.name, row]));
}
