import { Injectable } from '@nestjs/common';
import { uuidv7 } from 'uuidv7';
import {
  type ConnectionId,
  connectionId,
  IdSource,
  type NotificationId,
  parseNotificationId,
} from '../notification/ids';

/** UUIDs of version 7 (RFC 9562): ordered by time, hence kind to indexes. */
@Injectable()
export class UuidSource extends IdSource {
  notificationId(): NotificationId {
    const id = parseNotificationId(uuidv7());
    if (id === undefined) throw new Error('the UUID library made something else');
    return id;
  }

  connectionId(): ConnectionId {
    return connectionId(uuidv7());
  }
}
