import { context, propagation, ROOT_CONTEXT, type Span, SpanStatusCode, trace } from '@opentelemetry/api';

const tracer = trace.getTracer('tapeline');

/** The current W3C traceparent, to travel in an event's envelope; undefined when nothing is traced. */
export function currentTrace(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/** Runs `work` outside of any span: what a long-lived connection hears later is not part of what opened it. */
export const outsideOfTraces = <T>(work: () => T): T => context.with(ROOT_CONTEXT, work);

/** Runs `work` in a span that continues `parent` (a traceparent) or, without one, the active span. */
export function inSpan<T>(
  name: string,
  parent: string | undefined,
  attributes: Record<string, string | number>,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const base = parent === undefined ? context.active() : propagation.extract(context.active(), { traceparent: parent });
  return tracer.startActiveSpan(name, { attributes }, base, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.recordException(error as Error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: (error as Error).message });
      throw error;
    } finally {
      span.end();
    }
  });
}
