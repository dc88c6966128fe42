import { BatchItemResult, BatchResponse } from './batch.dto';
import { batchResponseJson, sendResponseJson } from './response-json';
import { SendResponse } from './send.dto';

const ID = '01936b2e-0000-7000-8000-000000000000';
const timestamp = '2026-01-02T03:04:05.678Z';

it('a send is answered as JSON.stringify would', () => {
  for (const success of [true, false]) {
    const response = {
      success,
      notification_id: ID,
      delivered_to: 2,
      failed: 1,
      timestamp,
      queued: !success,
      queued_count: 3,
      durable: success,
    };
    expect(sendResponseJson(response)).toBe(JSON.stringify(response));
    expect(Object.keys(response)).toEqual(Object.keys(SendResponse.shape));
  }
});

it('a batch is answered as JSON.stringify would', () => {
  const required = Object.entries(BatchItemResult.shape).filter(([, member]) => !member.safeParse(undefined).success);
  const plain = { index: 0, notification_id: ID, delivered_to: 1, failed: 0, success: true };
  expect(Object.keys(plain)).toEqual(required.map(([name]) => name));
  const lists: BatchItemResult[][] = [
    [],
    [plain],
    [
      plain,
      { ...plain, index: 1, queued: true },
      { ...plain, index: 1, durable: true },
      { ...plain, index: 2, success: true, skipped: true },
      { ...plain, index: 3, success: false, error: 'say "when"\n' },
      { ...plain, index: 4 },
    ],
  ];
  for (const results of lists) {
    const summary = { total: results.length, succeeded: 3, failed: 1, skipped: 1, total_delivered: 4 };
    const response = { batch_id: `batch-${ID}`, results, summary, successful: 3, failed: 1, timestamp };
    expect(batchResponseJson(response)).toBe(JSON.stringify(response));
    expect(Object.keys(response)).toEqual(Object.keys(BatchResponse.shape));
  }
});
