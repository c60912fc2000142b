import { type DynamicModule, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Settings } from '../config/index.js';
import { type Connection, dataSourceOptions } from './data-source-options.js';
import { Database } from './database.service.js';

/** One pool for the whole process; `Database` opens it and says when it is ready. */
@Module({})
export class DatabaseModule {
  static for(embedded: Connection | undefined): DynamicModule {
    return {
      module: DatabaseModule,
      global: true,
      imports: [
        TypeOrmModule.forRootAsync({
          inject: [Settings],
          useFactory: (settings: Settings) => ({
            ...dataSourceOptions(settings, embedded),
            manualInitialization: true,
          }),
        }),
      ],
      providers: [Database],
      exports: [Database],
    };
  }
}
