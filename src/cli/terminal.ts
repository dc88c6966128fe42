/** Where a command reads and writes; tests put their own in its place. */
export interface Terminal {
  /** One line of results. */
  out(line: string): void;
  /** One line for people: progress, warnings, errors. */
  err(line: string): void;
  readInput(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted when the user wants the command to end. */
  readonly interrupted: AbortSignal;
}

/** What a script can tell apart by `$?`. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

/** Ends the command with this message and exit code. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly exitCode: number = EXIT.failed,
  ) {
    super(message);
  }
}
