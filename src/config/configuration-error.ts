import type { Mistake } from './findings';

/** The configuration cannot be used. Its message lists every mistake with the way out, and no secret's value. */
export class ConfigurationError extends Error {
  constructor(
    readonly mistakes: readonly Mistake[],
    readonly warnings: readonly string[],
  ) {
    const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
    super(`The configuration has ${count}:\n${mistakes.map(line).join('\n')}\nSee docs/configuration.md.`);
    this.name = 'ConfigurationError';
  }
}

function line({ variable, source, problem, remedy }: Mistake): string {
  return `  - ${variable}${source === undefined ? '' : ` (${source})`}: ${problem}. ${remedy}`;
}
