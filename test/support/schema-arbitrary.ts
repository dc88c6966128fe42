import fc from 'fast-check';
import { type OpenApi, resolve, type Schema } from './api-documents';
import { hostileId } from './hostile';

const word = fc.constantFrom('a', 'b', 'orders', 'user-1', 'order-shipped', 'text {{name}}');

/** Values that a schema of the document allows, with strings as hostile as it lets them be. */
export function arbitraryOf(schema: Schema, document: OpenApi): fc.Arbitrary<unknown> {
  const of = (inner: Schema): fc.Arbitrary<unknown> => arbitraryOf(inner, document);
  if (schema.$ref !== undefined) return of(resolve<Schema>(document, { $ref: schema.$ref })!);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const variants = schema.oneOf ?? schema.anyOf;
  if (variants !== undefined) return fc.oneof(...variants.map(of));
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 1) return fc.oneof(...types.map((type) => of({ ...schema, type })));
  switch (types[0]) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 1000, 0x7fff_ffff) });
    case 'string':
      return schema.format === 'uuid' ? fc.uuid() : fc.oneof(word, word, hostileId);
    case 'array':
      return fc.array(of(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 4, 4),
      });
    case 'object':
      return objectOf(schema, of);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function objectOf(schema: Schema, of: (inner: Schema) => fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { properties = {}, required = [] } = schema;
  const fields = Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, of(inner)]));
  return fc.record(fields, { requiredKeys: [...required] });
}
