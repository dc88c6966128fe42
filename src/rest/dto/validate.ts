import { z } from 'zod';
import { SHAPE_FAILURE } from '../../http/json-body';
import { AraError } from '../../notification/ara-error';

/** As many broken rules as are named; a body of thousands of wrong items needs no longer list. */
const MAX_NAMED = 10;

/** The value as the schema understands it. Throws INVALID_SHAPE naming each field and its rule; `path` is where the value stands. */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown, path = ''): z.output<Schema> {
  const result = schema.safeParse(value, { reportInput: false });
  if (result.success) return result.data;
  const errors = result.error.issues.slice(0, MAX_NAMED).map((issue) => ({
    field: join(path, issue.path),
    message: issue.message,
  }));
  const summary = errors.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ');
  throw new AraError('INVALID_SHAPE', `${SHAPE_FAILURE}: ${summary}`, { details: { errors } });
}

function join(path: string, steps: readonly PropertyKey[]): string {
  return steps.reduce<string>((at, step) => {
    if (typeof step === 'number') return `${at}[${step}]`;
    return at === '' ? String(step) : `${at}.${String(step)}`;
  }, path);
}
