import { Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { EntityManager } from 'typeorm';
import { type ConsumerMeta, handlersOf, type Heard, type HearerMeta } from './handler.decorator.js';

export type Consumer = ConsumerMeta & { run: (data: unknown, tx: EntityManager) => Promise<void> };
export type Hearer = HearerMeta & { run: (data: unknown, heard: Heard) => unknown };

const NAME = /^[a-z]+\.[a-z]+(-[a-z0-9]+)*$/;

/** Finds every decorated handler at start; a doubled or ill-named one stops the boot. */
@Injectable()
export class HandlerRegistry {
  private found: { consumers: Consumer[]; hearers: Hearer[] } | undefined;

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  get consumers(): readonly Consumer[] {
    return this.handlers().consumers;
  }

  get hearers(): readonly Hearer[] {
    return this.handlers().hearers;
  }

  private handlers() {
    this.found ??= this.discover();
    return this.found;
  }

  private discover() {
    const consumers: Consumer[] = [];
    const hearers: Hearer[] = [];
    const names = new Set<string>();
    for (const { instance } of this.discovery.getProviders() as { instance: object | undefined }[]) {
      if (!instance || typeof instance !== 'object') continue;
      const prototype = Object.getPrototypeOf(instance) as object | null;
      if (!prototype) continue;
      for (const key of this.scanner.getAllMethodNames(prototype)) {
        const method = (instance as Record<string, (...args: unknown[]) => unknown>)[key]!;
        for (const meta of handlersOf(method)) {
          if (!NAME.test(meta.name)) throw new Error(`Handler name ${meta.name} is not module.verb-noun`);
          if (names.has(meta.name)) throw new Error(`Two handlers are named ${meta.name}`);
          names.add(meta.name);
          const run = method.bind(instance);
          if (meta.kind === 'consumer') consumers.push({ ...meta, run: run as Consumer['run'] });
          else hearers.push({ ...meta, run });
        }
      }
    }
    return { consumers, hearers };
  }
}
