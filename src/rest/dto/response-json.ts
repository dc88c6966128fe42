import type { BatchItemResult, BatchResponse } from './batch.dto';
import type { SendResponse } from './send.dto';

/*
 * The answers to a send and to a batch as JSON.stringify writes them, at a fraction of its price: their members are known,
 * and what stands in them needs no escape.
 */

export function sendResponseJson(response: SendResponse): string {
  const { success, notification_id, delivered_to, failed, timestamp, queued, queued_count, durable } = response;
  return (
    `{"success":${success},"notification_id":"${notification_id}","delivered_to":${delivered_to},"failed":${failed},` +
    `"timestamp":"${timestamp}","queued":${queued},"queued_count":${queued_count},"durable":${durable}}`
  );
}

export function batchResponseJson({ batch_id, results, summary, ...rest }: BatchResponse): string {
  const { total, succeeded, failed, skipped, total_delivered } = summary;
  let items = '';
  for (const result of results) items += (items === '' ? '' : ',') + itemJson(result);
  return (
    `{"batch_id":"${batch_id}","results":[${items}],"summary":{"total":${total},"succeeded":${succeeded},` +
    `"failed":${failed},"skipped":${skipped},"total_delivered":${total_delivered}},` +
    `"successful":${rest.successful},"failed":${rest.failed},"timestamp":"${rest.timestamp}"}`
  );
}

/** What every item has. */
const MEMBERS_OF_AN_ITEM = 5;

function itemJson(item: BatchItemResult): string {
  if (Object.keys(item).length !== MEMBERS_OF_AN_ITEM) return JSON.stringify(item);
  const { index, notification_id, delivered_to, failed, success } = item;
  return `{"index":${index},"notification_id":"${notification_id}","delivered_to":${delivered_to},"failed":${failed},"success":${success}}`;
}
