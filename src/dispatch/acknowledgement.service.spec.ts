import { Logger } from '@nestjs/common';
import { Engine, user } from '../../test/support/engine';
import { DEFAULT_TENANT, type NotificationId } from '../notification/ids';
import { StoreUnavailableError } from '../notification/store-unavailable';

const ALICE = user('alice');
const DOWN = new StoreUnavailableError('redis', 'connection refused');

let engine: Engine;
let id: NotificationId;

beforeEach(async () => {
  jest.spyOn(Logger.prototype, 'debug').mockImplementation(() => undefined);
  engine = new Engine({ env: { QUEUE_ENABLED: 'true', ACK_ENABLED: 'true' } });
  engine.connect();
  ({ id } = await engine.dispatcher.dispatch(engine.delivery({ kind: 'user', user: ALICE })));
  await engine.settle();
});

afterEach(() => jest.restoreAllMocks());

it('takes the entry out although nobody can tell whether the acknowledgement was awaited', async () => {
  jest.spyOn(engine.ackStore, 'acknowledgeMany').mockRejectedValueOnce(DOWN);
  expect(await engine.acknowledgements.acknowledge(DEFAULT_TENANT, ALICE, id)).toBe('unanswered');
  await engine.settle();
  expect(await engine.stored('alice')).toEqual([]);
});

it('takes the entry out later while the store is away', async () => {
  jest.spyOn(engine.ackStore, 'acknowledgeMany').mockRejectedValueOnce(DOWN);
  jest.spyOn(engine.queueStore, 'commit').mockRejectedValueOnce(DOWN);
  expect(await engine.acknowledgements.acknowledge(DEFAULT_TENANT, ALICE, id)).toBe('unanswered');
  await engine.settle();
  expect(await engine.stored('alice')).toEqual([id]);
  await engine.settlement.retryFailed();
  expect(await engine.stored('alice')).toEqual([]);
});
