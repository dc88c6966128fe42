import { Module } from '@nestjs/common';
import { ConnectionModule } from '../connection/connection.module';
import { DispatchModule } from '../dispatch/dispatch.module';
import { ProbeService } from './probe.service';

/** The self-probe. */
@Module({ imports: [ConnectionModule, DispatchModule], providers: [ProbeService] })
export class ProbeModule {}
