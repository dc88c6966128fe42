import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AraProcess } from '../support/ara-process';
import { ALERT_RULES, DASHBOARD, DASHBOARD_QUERIES } from '../support/operator-files';

const ROOT = join(__dirname, '../..');
const alerts = [...ALERT_RULES.matchAll(/- alert: (\w+)[\s\S]*?runbook: (\S+)/g)].map(([, name, page]) => ({
  name: name!,
  page: page!,
}));

/** Names of metrics, of histograms without their suffixes. */
function metricsIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/\b(?:ara|nodejs|process)_\w+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, '')),
  );
}

describe('dashboard and alerts', () => {
  let running: Set<string>;

  beforeAll(async () => {
    const ara = await AraProcess.start({ RATELIMIT_ENABLED: 'true', RATELIMIT_BACKEND: 'redis' });
    const { text } = await ara.get('/metrics');
    await ara.stop();
    running = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name!));
  });

  it('ask for metrics that a service has', () => {
    const asked = metricsIn([...DASHBOARD_QUERIES, ALERT_RULES].join('\n'));
    expect(asked.size).toBeGreaterThan(40);
    expect([...asked].filter((name) => !running.has(name))).toEqual([]);
  });

  it('the dashboard shows every metric of the service', () => {
    const shown = metricsIn(DASHBOARD_QUERIES.join('\n'));
    expect([...running].filter((name) => name.startsWith('ara_') && !shown.has(name))).toEqual([]);
  });
});

it('every panel has a title of its own and asks something', () => {
  const panels = DASHBOARD.panels.filter(({ type }) => type !== 'row');
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  expect(panels.filter(({ targets = [] }) => targets.length === 0)).toEqual([]);
});

describe('runbooks', () => {
  it('every alert has its page, and every page its alert', () => {
    expect(alerts.length).toBe(ALERT_RULES.split('- alert:').length - 1);
    const pages = readdirSync(join(ROOT, 'docs/runbooks')).map((file) => `docs/runbooks/${file}`);
    expect(alerts.map(({ page }) => page).sort()).toEqual(pages.sort());
  });

  it.each(alerts)('$name: what it means, what to look at, what to do', ({ name, page }) => {
    const text = readFileSync(join(ROOT, page), 'utf8');
    expect(text.startsWith(`# ${name}\n`)).toBe(true);
    expect(text).toMatch(/\n## What to look at\n[\s\S]+\n## What to do\n/);
    // It names panels and pages that are there.
    const titles = new Set(DASHBOARD.panels.map(({ title }) => title));
    const panels = [...text.matchAll(/\bpanels? "[^"]+"(?: and "[^"]+")*/gi)].flatMap(([list]) =>
      list.match(/(?<=")[^"]+(?=")/g)!,
    );
    expect(panels.filter((panel) => panel !== ' and ' && !titles.has(panel))).toEqual([]);
    const links = [...text.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file]) => `docs/runbooks/${file}`);
    expect(links.filter((link) => !alerts.some((alert) => alert.page === link))).toEqual([]);
  });
});

it('docs/observability.md lists the alerts', () => {
  const page = readFileSync(join(ROOT, 'docs/observability.md'), 'utf8');
  const listed = [...page.matchAll(/^\| \[`(Ara\w+)`\]\((runbooks\/[\w-]+\.md)\)/gm)].map(([, name, file]) => ({
    name,
    page: `docs/${file}`,
  }));
  expect(listed).toEqual(alerts);
});
