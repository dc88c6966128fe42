import { z } from 'zod';
import { ChannelDto, contentSchemas, UserIdDto } from './content.dto';

const names = z.array(z.string());

export const AudienceDto = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('All') }),
    z.object({ type: z.literal('Roles'), value: names }),
    z.object({ type: z.literal('Users'), value: names }),
    z.object({ type: z.literal('Channels'), value: names }),
  ])
  .meta({ description: 'Narrows a broadcast; echoed in metadata', example: { type: 'Roles', value: ['admin'] } });

export const SEND_TO_USER = contentSchemas({ target_user_id: UserIdDto });
export const SEND_TO_USERS = contentSchemas({ target_user_ids: z.array(UserIdDto) });
export const BROADCAST = contentSchemas({ audience: AudienceDto.nullish() });
export const SEND_TO_CHANNEL = contentSchemas({ channel: ChannelDto });
export const SEND_TO_CHANNELS = contentSchemas({ channels: z.array(ChannelDto) });

/** The longest lists that a request may name. */
export const MAX_TARGET_USERS = 10_000;
export const MAX_TARGET_CHANNELS = 100;

const count = z.int().min(0);

export const SendResponse = z
  .object({
    success: z.boolean().meta({ description: 'Somebody received it, or it is kept for somebody' }),
    notification_id: z.uuid(),
    delivered_to: count.meta({ description: 'Connections that accepted it, on all nodes' }),
    failed: count.meta({ description: 'Connections that refused it' }),
    timestamp: z.iso.datetime(),
    queued: z.boolean().meta({ description: 'Kept for at least one recipient who was not reached live' }),
    queued_count: count,
    durable: z.boolean().meta({ description: 'A durable store took it for all recipients' }),
  })
  .meta({ id: 'SendResponse' });

export const SendToUsersResponse = SendResponse.extend({
  results: z.record(z.string(), z.object({ delivered: z.boolean(), connections: count, queued: z.boolean() })),
}).meta({ id: 'SendToUsersResponse' });

export const SendToChannelResponse = SendResponse.extend({ channel: z.string() }).meta({ id: 'SendToChannelResponse' });

export const SendToChannelsResponse = SendResponse.extend({
  channels: z.record(z.string(), z.object({ delivered_to: count })),
  total_delivered: count,
}).meta({ id: 'SendToChannelsResponse' });

export type SendResponse = z.output<typeof SendResponse>;
export type SendToUsersResponse = z.output<typeof SendToUsersResponse>;
export type SendToChannelResponse = z.output<typeof SendToChannelResponse>;
export type SendToChannelsResponse = z.output<typeof SendToChannelsResponse>;
