import { formatTraceparent, parseTraceparent } from './traceparent';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';

it('reads the W3C form and writes it back', () => {
  const text = `00-${TRACE_ID}-${SPAN_ID}-01`;
  const parsed = parseTraceparent(text);
  expect(parsed).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
  expect(formatTraceparent(parsed!)).toBe(text);
});

it.each([
  undefined,
  null,
  7,
  '',
  TRACE_ID,
  `00-${TRACE_ID}-${SPAN_ID}`,
  `00-${TRACE_ID}-${SPAN_ID}-1`,
  `00-${TRACE_ID}-${SPAN_ID}-01-x`,
  `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
  `ff-${TRACE_ID}-${SPAN_ID}-01`,
  `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
  `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
  ` 00-${TRACE_ID}-${SPAN_ID}-01`,
  `00-${TRACE_ID}-${SPAN_ID}-01\n`,
])('takes nothing from %j', (raw) => {
  expect(parseTraceparent(raw)).toBeUndefined();
});
