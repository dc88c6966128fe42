import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

type Draft = z.core.JSONSchema.BaseSchema;

/** JSON Schema, draft 2020-12: what OpenAPI 3.1 and AsyncAPI 3.0 speak. */
export type JsonSchema = Readonly<Draft>;

export const JSON_TYPE = 'application/json';

const DEFINITIONS = '#/$defs/';
const COMPONENTS = '#/components/schemas/';

/** Collects the schemas that have an id as a document's components, and leaves references in their places. */
export class SchemaComponents {
  readonly #schemas = new Map<string, JsonSchema>();

  /** The named schemas so far, by name. */
  get schemas(): Readonly<Record<string, JsonSchema>> {
    return Object.fromEntries([...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** What one may send: unknown fields are ignored, so they are allowed. */
  input(schema: z.ZodType): JsonSchema {
    return this.#convert(schema, 'input');
  }

  /** What one may get. Fields may be added later, so others than these are not forbidden. */
  output(schema: z.ZodType): JsonSchema {
    return this.#convert(schema, 'output');
  }

  /** Throws when two different schemas claim one name. */
  #convert(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const { $defs = {}, ...root } = z.toJSONSchema(schema, { io });
    delete root.$schema;
    const text = JSON.stringify({ root, $defs }).replaceAll(`"${DEFINITIONS}`, `"${COMPONENTS}`);
    const moved = JSON.parse(text) as { root: Draft; $defs: Record<string, Draft> };
    for (const [name, definition] of Object.entries(moved.$defs)) this.#add(name, simplified(definition));
    return simplified(moved.root);
  }

  #add(name: string, definition: JsonSchema): void {
    const known = this.#schemas.get(name);
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(definition)) {
      throw new Error(`Two schemas are named ${name}`);
    }
    this.#schemas.set(name, definition);
  }
}

/** Says the same in the words that a reader expects. */
function simplified(schema: Draft): Draft {
  for (const inner of innerSchemas(schema)) simplified(inner);
  delete schema['id'];
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // A format says it all; the library's patterns for it are for machines without formats.
  if (schema.format !== undefined) delete schema.pattern;
  if (schema['example'] !== undefined) {
    schema.examples = [schema['example']];
    delete schema['example'];
  }
  const [inner, none, ...others] = schema.anyOf ?? [];
  if (inner !== undefined && none?.type === 'null' && others.length === 0) allowNull(schema, inner);
  return schema;
}

function innerSchemas({ properties, items, additionalProperties, anyOf = [], oneOf = [] }: Draft): Draft[] {
  const candidates = [...Object.values(properties ?? {}), items, additionalProperties, ...anyOf, ...oneOf];
  return candidates.flat().filter((inner) => typeof inner === 'object');
}

/** Instead of "one of this and null": a list of types that holds null, or null as one more variant. */
function allowNull(schema: Draft, inner: Draft): void {
  if (inner.$ref !== undefined) return;
  delete schema.anyOf;
  const own = { ...schema };
  Object.assign(schema, inner, own);
  const none: Draft = { type: 'null' };
  if (inner.type !== undefined) schema.type = [inner.type, 'null'].flat() as NonNullable<Draft['type']>;
  if (inner.enum !== undefined) schema.enum = [...inner.enum, null];
  if (inner.oneOf !== undefined) schema.oneOf = [...inner.oneOf, none];
  if (inner.anyOf !== undefined) schema.anyOf = [...inner.anyOf, none];
}
