import { Global, Module } from '@nestjs/common';
import { Clock } from '../notification/clock';
import { IdSource } from '../notification/ids';
import { SystemClock } from './system-clock';
import { UuidSource } from './uuid-source';

/** Time and ids, from the system; tests put their own in their place. */
@Global()
@Module({
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: IdSource, useClass: UuidSource },
  ],
  exports: [Clock, IdSource],
})
export class RuntimeModule {}
