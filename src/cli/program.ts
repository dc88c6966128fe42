import { Command, CommanderError } from 'commander';
import { ConfigurationError } from '../config/configuration-error';
import { VERSION } from '../version';
import { addConfigCommand } from './config';
import { addListenCommand } from './listen';
import { addMigrateCommand } from './migrate';
import { addSendCommand } from './send';
import { CommandError, EXIT, type Terminal } from './terminal';
import { addTokenCommand } from './token';

/** Runs one command line, without the program's name; gives back the exit code. Rejects only on a defect. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = new Command('ara')
    .description('Talk to an Ara notification service, and prepare one')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.out(text.trimEnd());
      },
      writeErr: (text) => {
        terminal.err(text.trimEnd());
      },
    })
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 service not reachable');
  for (const add of [addTokenCommand, addListenCommand, addSendCommand, addConfigCommand, addMigrateCommand])
    add(program, terminal);
  try {
    await program.parseAsync(args, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof ConfigurationError) {
      terminal.err(error.message);
      return EXIT.failed;
    }
    if (!(error instanceof CommandError)) throw error;
    if (error.message !== '') terminal.err(error.message);
    return error.exitCode;
  }
}
