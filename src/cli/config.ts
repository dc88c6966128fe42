import type { Command } from 'commander';
import { ConfigurationError } from '../config/configuration-error';
import { renderEnvExample } from '../config/documentation';
import { loadConfig } from '../config/load-config';
import { EXIT, type Terminal, CommandError } from './terminal';

/** `ara config check`: would the service start with what is set here? `ara config variables`: what can be set at all? */
export function addConfigCommand(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('The configuration that the service would start with here');
  config
    .command('variables')
    .description('Print every variable with its meaning and default, in the form of an .env file')
    .action(() => {
      terminal.out(renderEnvExample());
    });
  config
    .command('check')
    .description('Name every mistake in environment, .env and config/*.toml, and how to correct it')
    .option('--json', 'print the findings as JSON')
    .action((options: { readonly json?: true }) => {
      const { mistakes, warnings, summary } = check(terminal);
      if (options.json === true) terminal.out(JSON.stringify({ ok: mistakes.length === 0, mistakes, warnings }));
      else for (const line of [...warnings.map((warning) => `warning: ${warning}`), summary]) terminal.out(line);
      if (mistakes.length > 0) throw new CommandError('', EXIT.failed);
    });
}

function check(terminal: Terminal): Pick<ConfigurationError, 'mistakes' | 'warnings'> & { readonly summary: string } {
  try {
    const { warnings } = loadConfig(terminal);
    return { mistakes: [], warnings, summary: 'The configuration is valid.' };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const { mistakes, warnings, message } = error;
    return { mistakes, warnings, summary: message };
  }
}
