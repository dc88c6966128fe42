import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const DEPLOY = join(__dirname, '../../deploy');

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** The Grafana dashboard, as a file. */
export const DASHBOARD = JSON.parse(readFileSync(join(DEPLOY, 'grafana/ara-dashboard.json'), 'utf8')) as {
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
};

/** The alert rules, as text. */
export const ALERT_RULES = readFileSync(join(DEPLOY, 'prometheus/alerts.yml'), 'utf8');

/** What the dashboard asks, with its variables set as they are when it is opened. */
export const DASHBOARD_QUERIES: readonly string[] = [
  ...DASHBOARD.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...DASHBOARD.annotations.list.map(({ expr }) => expr),
].map((expr) => expr.replaceAll('$__rate_interval', '5m').replaceAll(/\$(job|instance)/g, '.*'));
