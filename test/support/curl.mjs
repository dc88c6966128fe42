/** What the samples in docs/ use of curl, for machines without it: `curl [-s] [-N] [-X verb] [-H header]… [-d body] URL`. */
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    'no-buffer': { type: 'boolean', short: 'N' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
  },
});
const answer = await fetch(positionals[0], {
  method: values.request ?? (values.data === undefined ? 'GET' : 'POST'),
  headers: values.header.map((header) => header.split(/: */)),
  body: values.data,
});
for await (const chunk of answer.body ?? []) process.stdout.write(chunk);
