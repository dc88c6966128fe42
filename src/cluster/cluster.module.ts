import { type FactoryProvider, Module, type Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { AraConfig } from '../config/ara-config';
import { RedisHaModule } from '../redis-ha/redis-ha.module';
import { ClusterBus, LocalClusterBus } from './cluster-bus';
import { ClusterMetrics } from './cluster.metrics';
import { LocalOnceClaims } from './local-once-claims';
import { Membership } from './membership';
import { NeighbourWatch } from './neighbour-watch';
import { OnceClaims } from './once-claims';
import { RedisClusterBus } from './redis-cluster-bus';
import { RedisOnceClaims } from './redis-once-claims';
import { RedisSessionDirectory } from './redis-session-directory';
import { LocalSessionDirectory, SessionDirectory } from './session-directory';

/** One provider of a port: alone or in a cluster. */
function either<T>(port: abstract new () => T, alone: Type<T>, clustered: Type<T>): FactoryProvider<Promise<T>> {
  return {
    provide: port,
    inject: [AraConfig, ModuleRef],
    useFactory: ({ cluster }: AraConfig, moduleRef: ModuleRef) => moduleRef.create(cluster.enabled ? clustered : alone),
  };
}

/** Other nodes: how they are told, and who is connected there. */
@Module({
  imports: [RedisHaModule],
  providers: [
    ClusterMetrics,
    Membership,
    NeighbourWatch,
    either(ClusterBus, LocalClusterBus, RedisClusterBus),
    either(SessionDirectory, LocalSessionDirectory, RedisSessionDirectory),
    either(OnceClaims, LocalOnceClaims, RedisOnceClaims),
  ],
  exports: [ClusterBus, SessionDirectory, OnceClaims],
})
export class ClusterModule {}
