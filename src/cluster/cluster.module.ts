import { Module } from '@nestjs/common';
import { ClusterBus, LocalClusterBus } from './cluster-bus';
import { LocalOnceClaims } from './local-once-claims';
import { OnceClaims } from './once-claims';
import { LocalSessionDirectory, SessionDirectory } from './session-directory';

/** Other nodes: how they are told, and who is connected there. */
@Module({
  providers: [
    { provide: ClusterBus, useClass: LocalClusterBus },
    { provide: SessionDirectory, useClass: LocalSessionDirectory },
    { provide: OnceClaims, useClass: LocalOnceClaims },
  ],
  exports: [ClusterBus, SessionDirectory, OnceClaims],
})
export class ClusterModule {}
