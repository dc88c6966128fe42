import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Where scripts/ensure-packages.mjs puts what comes from PyPI. */
export const TOOLS = join(homedir(), '.cache', 'ara-tools');

/** The full path of a program: from there, else from the PATH. */
export function tool(name: string): string {
  const path = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
  const folders = [join(TOOLS, 'compose'), join(TOOLS, 'bin'), ...path];
  const found = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
  if (found === undefined) throw new Error(`${name} is missing: node scripts/ensure-packages.mjs`);
  return found;
}
