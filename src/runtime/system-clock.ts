import { Injectable } from '@nestjs/common';
import { Clock } from '../notification/clock';

/** The system's time of day. */
@Injectable()
export class SystemClock extends Clock {
  now(): number {
    return Date.now();
  }
}
