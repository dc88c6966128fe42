import { escapeHtml, htmlPage } from './html';
import type { Json } from './json-schema';

interface Reference {
  readonly $ref: string;
}

interface Message {
  readonly title: string;
  readonly summary: string;
  readonly payload: Json;
  readonly examples: readonly { readonly payload: unknown }[];
}

interface AsyncApi {
  readonly info: { readonly description: string };
  readonly channels: Readonly<Record<string, { readonly address: string; readonly description: string }>>;
  readonly operations: Readonly<
    Record<
      string,
      { readonly action: 'send' | 'receive'; readonly channel: Reference; readonly messages: readonly Reference[] }
    >
  >;
  readonly components: {
    readonly messages: Readonly<Record<string, Message>>;
    readonly schemas: Readonly<Record<string, Json>>;
  };
}

const DIRECTION = { send: 'Ara sends', receive: 'Ara reads' } as const;

/** An AsyncAPI document to read: channels, what they carry in each direction, an example and the schema of each message. */
export function messagesPage(document: Json): string {
  const { info, channels, operations, components } = document as unknown as AsyncApi;
  const sections = Object.entries(channels).map(([name, { address, description }]) => {
    const carried = Object.values(operations)
      .filter(({ channel }) => lastPart(channel) === name)
      .map(({ action, messages }) => {
        const items = messages.map((reference) => messageHtml(lastPart(reference), components.messages));
        return `<h3>${DIRECTION[action]}</h3>${items.join('')}`;
      });
    return `<section><h2><code>${escapeHtml(address)}</code></h2><p>${prose(description)}</p>${carried.join('')}</section>`;
  });
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `<h3 id="${escapeHtml(name)}">${escapeHtml(name)}</h3>${json(schema)}`,
  );
  const body = `<main><h1>Messages</h1><p>${prose(info.description)}</p>${sections.join('')}<h2>Schemas</h2>${schemas.join('')}</main>`;
  return htmlPage('', body);
}

function messageHtml(key: string, messages: AsyncApi['components']['messages']): string {
  const message = messages[key];
  if (message === undefined) throw new Error(`No message is named ${key}`);
  const { title, summary, payload, examples } = message;
  return (
    `<h4>${escapeHtml(title)}</h4><p>${prose(summary)}</p>` +
    examples.map((example) => json(example.payload)).join('') +
    `<details><summary>Schema</summary>${json(payload)}</details>`
  );
}

function lastPart({ $ref }: Reference): string {
  return $ref.slice($ref.lastIndexOf('/') + 1);
}

function json(value: unknown): string {
  return `<pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;
}

/** Text with code in backticks. */
function prose(text: string): string {
  return escapeHtml(text).replace(/`([^`]*)`/g, '<code>$1</code>');
}
