import type { Command } from 'commander';
import { Client } from 'pg';
import { AraError } from '../notification/ara-error';
import { migrate, migrationStatus, type Migration } from '../postgres/migrate';
import { configOf, reasonOf } from './server';
import { CommandError, EXIT, type Terminal } from './terminal';

interface MigrateOptions {
  readonly json?: true;
}

/** `ara migrate`: the tables of the configured PostgreSQL, for those who do not want the service to change them at its start. */
export function addMigrateCommand(program: Command, terminal: Terminal): void {
  const command = program.command('migrate').description('The tables in the configured PostgreSQL');
  command
    .command('status')
    .description('Show what is applied; fails when something is not')
    .option('--json', 'print it as JSON')
    .action(async (options: MigrateOptions) => {
      const migrations = await withDatabase(terminal, migrationStatus);
      const isCurrent = migrations.every(({ appliedAt, isChanged }) => appliedAt !== undefined && !isChanged);
      if (options.json === true) terminal.out(JSON.stringify(migrations.map(toJson)));
      else for (const migration of migrations) terminal.out(describe(migration));
      if (!isCurrent) throw new CommandError('The database is not up to date: ara migrate up');
    });
  command
    .command('up')
    .description('Apply what is missing: all of it, or nothing')
    .option('--json', 'print the names of what was applied as JSON')
    .action(async (options: MigrateOptions) => {
      const applied = await withDatabase(terminal, migrate);
      if (options.json === true) terminal.out(JSON.stringify(applied));
      else terminal.out(applied.length === 0 ? 'Nothing to do.' : `Applied ${applied.join(', ')}.`);
    });
}

async function withDatabase<T>(terminal: Terminal, work: (client: Client) => Promise<T>): Promise<T> {
  const { url, connectTimeoutSeconds } = configOf(terminal).database;
  if (url.startsWith('embedded:')) {
    throw new CommandError('The service itself starts and migrates its embedded PostgreSQL.', EXIT.usage);
  }
  const client = new Client({ connectionString: url, connectionTimeoutMillis: connectTimeoutSeconds * 1000 });
  try {
    await client.connect().catch((error: unknown) => {
      // Without the URL: it may hold a password.
      throw new CommandError(`Cannot reach PostgreSQL: ${reasonOf(error)}`, EXIT.unreachable);
    });
    return await work(client);
  } catch (error) {
    if (error instanceof AraError) throw new CommandError(error.message);
    throw error;
  } finally {
    await client.end();
  }
}

function describe({ name, appliedAt, isChanged }: Migration): string {
  if (appliedAt === undefined) return `${name}: missing`;
  return `${name}: applied ${appliedAt.toISOString()}${isChanged ? ', but its text has changed since' : ''}`;
}

function toJson({ name, appliedAt, isChanged }: Migration): object {
  return { name, applied_at: appliedAt?.toISOString() ?? null, is_changed: isChanged };
}
