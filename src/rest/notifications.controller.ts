import { Controller, HttpCode, Post } from '@nestjs/common';
import type { Eventual } from '../notification/eventual';
import { BatchService } from './batch.service';
import type { BatchResponse } from './dto/batch.dto';
import type { SendResponse, SendToChannelResponse, SendToChannelsResponse, SendToUsersResponse } from './dto/send.dto';
import { Exchange } from './exchange';
import { Knock } from './exchange.decorator';
import { SendingService } from './sending.service';

/** Express's way to the sending endpoints; the fast door is the other. */
@Controller('api/v1/notifications')
export class NotificationsController {
  constructor(
    private readonly sending: SendingService,
    private readonly batches: BatchService,
  ) {}

  @Post('send')
  @HttpCode(200)
  send(@Knock() exchange: Exchange): Eventual<SendResponse> {
    return this.sending.sendToUser(exchange);
  }

  @Post('send-to-users')
  @HttpCode(200)
  sendToUsers(@Knock() exchange: Exchange): Eventual<SendToUsersResponse> {
    return this.sending.sendToUsers(exchange);
  }

  @Post('broadcast')
  @HttpCode(200)
  broadcast(@Knock() exchange: Exchange): Eventual<SendResponse> {
    return this.sending.broadcast(exchange);
  }

  @Post('channel')
  @HttpCode(200)
  sendToChannel(@Knock() exchange: Exchange): Eventual<SendToChannelResponse> {
    return this.sending.sendToChannel(exchange);
  }

  @Post('channels')
  @HttpCode(200)
  sendToChannels(@Knock() exchange: Exchange): Eventual<SendToChannelsResponse> {
    return this.sending.sendToChannels(exchange);
  }

  @Post('batch')
  @HttpCode(200)
  sendBatch(@Knock() exchange: Exchange): Eventual<BatchResponse> {
    return this.batches.send(exchange);
  }
}
