/** Who may knock: anybody, whoever has a token (the route asks for it), whoever has an API key. */
export type Access = 'public' | 'token' | 'key';

/** Everything that is not listed here asks for a key, paths that do not exist included. */
const PUBLIC = ['/health', '/health/live', '/health/ready', '/metrics'];
const DOCUMENTS = ['/openapi.json', '/asyncapi.json', '/docs'];
const TOKEN = ['/ws', '/sse'];

const SEND_BODY_BYTES = 65_536;
const BATCH_BODY_BYTES = 1_048_576;
const OTHER_BODY_BYTES = 2_097_152;

const BODY_BYTES: Readonly<Record<string, number>> = {
  '/api/v1/notifications/send': SEND_BODY_BYTES,
  '/api/v1/notifications/send-to-users': SEND_BODY_BYTES,
  '/api/v1/notifications/broadcast': SEND_BODY_BYTES,
  '/api/v1/notifications/channel': SEND_BODY_BYTES,
  '/api/v1/notifications/channels': SEND_BODY_BYTES,
  '/api/v1/notifications/batch': BATCH_BODY_BYTES,
};

const OF_ONE_TENANT = /^\/api\/v1\/(?:notifications|templates|channels|users)(?:\/|$)/;

/** Which paths are open, decided once from the configuration. */
export class AccessList {
  readonly #public: ReadonlySet<string>;
  readonly #documents: boolean;
  readonly #token = new Set(TOKEN);

  constructor({ documents, metrics }: { readonly documents: boolean; readonly metrics: boolean }) {
    this.#documents = documents;
    const open = [...PUBLIC, ...(documents ? DOCUMENTS : [])];
    this.#public = new Set(metrics ? open : open.filter((path) => path !== '/metrics'));
  }

  accessOf(path: string): Access {
    if (this.#public.has(path) || (this.#documents && path.startsWith('/docs/'))) return 'public';
    return this.#token.has(path) ? 'token' : 'key';
  }
}

/** Whether a route works on one tenant's data, so that it must know which. */
export function needsTenant(path: string): boolean {
  return OF_ONE_TENANT.test(path);
}

/** The longest body that a path takes. */
export function bodyLimitBytes(path: string): number {
  return BODY_BYTES[path] ?? OTHER_BODY_BYTES;
}
