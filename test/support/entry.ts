import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
/** Where the test run has built the service, from the root. */
const { ARA_TEST_BUILT } = process.env;

export type Part = 'main' | 'cli/main';

/** What Node has to load, in this order, to be the service or its command line: as it was built, else from the sources. */
export function modulesOf(part: Part): readonly string[] {
  if (ARA_TEST_BUILT === undefined) return [join(__dirname, 'swc-register.cjs'), join(ROOT, 'src', `${part}.ts`)];
  if (ARA_TEST_BUILT === 'dist' && part === 'cli/main') return [join(ROOT, 'bin/ara.js')];
  return [join(ROOT, ARA_TEST_BUILT, `${part}.js`)];
}

/** The same as arguments of `node`. */
export function argumentsOf(part: Part): readonly string[] {
  const modules = modulesOf(part);
  return modules.flatMap((path, n) => (n < modules.length - 1 ? ['-r', path] : [path]));
}
