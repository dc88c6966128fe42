/** What can be set for one tenant, as `TENANT_<ID>_<setting>`. */
export const TENANT_SETTINGS = [
  'API_KEY',
  'NAME',
  'MAX_CONNECTIONS',
  'MAX_CONNECTIONS_PER_USER',
  'MAX_SUBSCRIPTIONS_PER_CONNECTION',
] as const;

export type TenantSetting = (typeof TENANT_SETTINGS)[number];

export interface TenantVariable {
  readonly id: string;
  readonly setting: TenantSetting;
}

const NAME = new RegExp(`^TENANT_(.+?)_(${TENANT_SETTINGS.join('|')})$`);

/** `TENANT_ACME_CORP_API_KEY` → ACME_CORP, API_KEY. Names of `TENANT_DEFAULT_…` and `TENANT_ENABLED…` never are one. */
export function parseTenantVariable(name: string): TenantVariable | undefined {
  const [, id, word] = NAME.exec(name) ?? [];
  const setting = TENANT_SETTINGS.find((known) => known === word);
  if (id === undefined || setting === undefined || /^TENANT_(DEFAULT_|ENABLED)/.test(name)) return undefined;
  return { id, setting };
}
