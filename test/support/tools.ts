import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where scripts/ensure-packages.mjs puts what comes from PyPI. */
export const TOOLS = join(homedir(), '.cache', 'ara-tools');

/** The full path of a program, from the PATH or from there. */
export function tool(name: string): string {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    join(TOOLS, 'bin'),
    join(TOOLS, 'compose'),
  ];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is missing: node scripts/ensure-packages.mjs`);
  return found;
}
