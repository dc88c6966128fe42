/** One thing that an operator has to correct before the service can start. */
export interface Mistake {
  readonly variable: string;
  /** Where the value came from: `environment`, `.env`, `config/default.toml`; undefined when nothing was set. */
  readonly source?: string | undefined;
  /** What was found and which rule it breaks; never the value of a secret. */
  readonly problem: string;
  readonly remedy: string;
}

/** Collects what is wrong with a configuration, so that an operator reads everything at once. */
export class Findings {
  readonly mistakes: Mistake[] = [];
  readonly warnings: string[] = [];

  /** The first mistake of a variable stands: what follows from it would only distract. */
  mistake(mistake: Mistake): void {
    if (!this.concerns(mistake.variable)) this.mistakes.push(mistake);
  }

  warn(text: string): void {
    this.warnings.push(text);
  }

  concerns(variable: string): boolean {
    return this.mistakes.some((mistake) => mistake.variable === variable);
  }
}

/** How a value looks, without giving it away: a secret may have been pasted into any variable. */
export function shapeOf(value: string, secret = false): string {
  if (!secret && /^[-+.\d]{1,20}$/.test(value)) return `the number ${value}`;
  return `a text of ${value.length} ${value.length === 1 ? 'character' : 'characters'}`;
}
