/**
 * Writes the bill of materials of a production installation to standard output: CycloneDX, by npm, from the lock alone.
 * Needs no network. npm's own `--omit dev` would leave out whatever a development tool uses as well, such as
 * @nestjs/core, so development packages are taken out here, by what the lock says of them.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const npm = process.env.npm_execpath;
const args = ['sbom', '--package-lock-only', '--sbom-format', 'cyclonedx', '--sbom-type', 'application'];
const [command, ...first] = npm === undefined ? ['npm'] : [process.execPath, npm];
const { status, stdout } = spawnSync(command, [...first, ...args], {
  encoding: 'utf8',
  maxBuffer: 64 * 1024 * 1024,
  shell: npm === undefined && process.platform === 'win32',
  stdio: ['ignore', 'pipe', 'inherit'],
});
if (status !== 0) process.exit(1);

const sbom = JSON.parse(stdout);
const { name, version, packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
const installed = Object.entries(packages)
  .filter(([path, entry]) => path !== '' && entry.dev !== true)
  .map(([path, entry]) => `${entry.name ?? path.replace(/^.*node_modules\//, '')}@${entry.version}`);
const kept = new Set([`${name}@${version}`, ...installed]);
const isDevelopment = ({ properties = [] }) => properties.some((each) => each.name === 'cdx:npm:package:development');
// Of a package that lies in two places, npm may have met the development one first.
const components = sbom.components
  .filter((component) => kept.has(component['bom-ref']))
  .map((component) => (isDevelopment(component) ? { ...component, scope: 'required', properties: [] } : component));
const dependencies = sbom.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((other) => kept.has(other)) }));
// npm takes the folder's name for it.
sbom.metadata.component.name = name;
process.stdout.write(`${JSON.stringify({ ...sbom, components, dependencies }, undefined, 2)}\n`);
