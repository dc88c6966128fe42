import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '../../src/config/environment';
import { parseTenantVariable } from '../../src/config/tenant-variable';
import { VERSION } from '../../src/version';

// What needs no tool to be seen of the files that ship Ara.

const ROOT = join(__dirname, '../..');
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const CHART = 'deploy/helm/ara';
const chartFiles = readdirSync(join(ROOT, CHART), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(ya?ml|tpl|md|txt)$/.test(file))
  .map((file) => join(CHART, file));

const settings = new Set(VARIABLES.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
const isSetting = (name: string): boolean =>
  settings.has(name.replace(/_FILE$/, '')) || parseTenantVariable(name.replace(/_FILE$/, '')) !== undefined;
/** What belongs to Node.js and to the other images. */
const isOfOthers = (name: string): boolean => /^(NODE_(ENV|VERSION|EXTRA_CA_CERTS)|POSTGRES_\w+|GF_\w+)$/.test(name);

it.each(['Dockerfile', 'docker-compose.yml', ...chartFiles])('%s names settings that are there', (file) => {
  const text = read(file).replaceAll('TENANT_<ID>_', 'TENANT_ACME_');
  const names = text.match(/\b[A-Z][A-Z\d]*(?:_[A-Z\d]+)+\b/g) ?? [];
  expect(names.filter((name) => !isSetting(name) && !isOfOthers(name))).toEqual([]);
});

it('image, compose file and chart are of this version', () => {
  expect(new Set([...read('docker-compose.yml').matchAll(/image: ara:(.+)/g)].map(([, tag]) => tag))).toEqual(
    new Set([VERSION]),
  );
  expect(read(join(CHART, 'Chart.yaml'))).toContain(`appVersion: '${VERSION}'`);
});

it('the version of Node.js is an exact one, of a line with long-term support', () => {
  const [, version = ''] = /^ARG NODE_VERSION=(\d+\.\d+\.\d+)$/m.exec(read('Dockerfile')) ?? [];
  expect(Number.parseInt(version, 10) % 2).toBe(0);
  expect(
    read('Dockerfile')
      .match(/^FROM .*/gm)
      ?.every((line) => line.startsWith('FROM node:${NODE_VERSION}-')),
  ).toBe(true);
});
