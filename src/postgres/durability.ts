/** What the server promises about a transaction that it has confirmed. */
export interface Durability {
  /** `off`: a crash of the machine may lose the whole database. */
  readonly fsync: string;
  /** `off`: pages that a power failure tore apart may stay torn, unless the file system prevents that. */
  readonly full_page_writes: string;
  /** `off`: the last half second may be missing after a crash of the server. */
  readonly synchronous_commit: string;
}

/** Answers one row: Durability. */
export const DURABILITY_QUERY = `SELECT current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS full_page_writes, current_setting('synchronous_commit') AS synchronous_commit`;

/** Whether what was confirmed survives a crash of the server; false when nothing is known. */
export function isDurable(durability: Durability | undefined): boolean {
  return durability?.fsync === 'on' && durability.synchronous_commit !== 'off';
}

/** The three settings, for a log. */
export function describeDurability(durability: Durability | undefined): string {
  return Object.entries(durability ?? {})
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ');
}
