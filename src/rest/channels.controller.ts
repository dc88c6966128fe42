import { Controller, Get, Param } from '@nestjs/common';
import { PresenceService, type ChannelInfo } from '../dispatch/presence.service';
import { AraError } from '../notification/ara-error';
import { addressedChannel, parseUserId } from '../notification/ids';
import { bareName } from '../tenant/tenant-context';
import type { ChannelListResponse, ChannelResponse, SubscriptionsResponse } from './dto/presence.dto';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';

/** Who listens to what, within the caller's tenant, on all nodes. */
@Controller('api/v1')
export class ChannelsController {
  constructor(private readonly presence: PresenceService) {}

  @Get('channels')
  async list(@Knock() { requiredTenant }: Exchange): Promise<ChannelListResponse> {
    const channels = await this.presence.channels(requiredTenant);
    return { channels: channels.map(toResponse), total_channels: channels.length };
  }

  @Get('channels/:name')
  async get(@Knock() { requiredTenant }: Exchange, @Param('name') name: string): Promise<ChannelResponse> {
    const channel = await this.presence.channel(requiredTenant, addressedChannel(bareName(requiredTenant, name)));
    if (channel !== undefined) return toResponse(channel);
    throw new AraError('CHANNEL_NOT_FOUND', `Channel '${name}' not found or has no subscribers`);
  }

  @Get('users/:user_id/subscriptions')
  async subscriptions(
    @Knock() { requiredTenant }: Exchange,
    @Param('user_id') id: string,
  ): Promise<SubscriptionsResponse> {
    const user = parseUserId(id);
    const found = user === undefined ? undefined : await this.presence.subscriptions(requiredTenant, user);
    if (found === undefined) throw new AraError('USER_NOT_CONNECTED', `User '${id}' has no active connections`);
    const { connections, subscriptions } = found;
    return { user_id: id, connection_count: connections, connections, subscriptions: [...subscriptions] };
  }
}

function toResponse({ name, subscribers }: ChannelInfo): ChannelResponse {
  return { name, subscriber_count: subscribers, subscribers };
}
