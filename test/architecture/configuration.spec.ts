import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { renderConfigurationDocs, renderEnvExample } from '../../src/config/documentation';
import { VARIABLES } from '../../src/config/environment';

const ROOT = join(__dirname, '../..');
const DOCUMENTS = [
  ['.env.example', renderEnvExample],
  ['docs/configuration.md', renderConfigurationDocs],
] as const;

describe('the documents of the configuration', () => {
  it.each(DOCUMENTS)('%s is what the code says (UPDATE_DOCS=1 writes it anew)', (file, render) => {
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(join(ROOT, file), render());
    expect(readFileSync(join(ROOT, file), 'utf8')).toBe(render());
  });

  it.each(DOCUMENTS)('%s names every variable and every alias', (file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const names = VARIABLES.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it('.env.example leaves only the two secrets to fill in, and is a valid .env', () => {
    expect(parseEnv(readFileSync(join(ROOT, '.env.example'), 'utf8'))).toEqual({ JWT_SECRET: '', API_KEY: '' });
  });

  it('every variable says what it is for, in a section', () => {
    for (const { doc, rule, section } of VARIABLES) {
      expect(doc).toMatch(/\.$/);
      expect(rule).not.toBe('');
      expect(section.title).not.toBe('');
    }
  });
});
