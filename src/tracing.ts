import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { PinoInstrumentation } from '@opentelemetry/instrumentation-pino';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { wantsTracing } from './platform/config/tracing-environment.js';

// The SDK would send metrics and logs to the same endpoint: Prometheus and stdout have them.
process.env.OTEL_METRICS_EXPORTER ??= 'none';
process.env.OTEL_LOGS_EXPORTER ??= 'none';

/** Loaded before everything else (`node --import`), so that http and pg can be instrumented. */
const sdk = wantsTracing(process.env)
  ? new NodeSDK({
      serviceName: process.env.OTEL_SERVICE_NAME ?? 'tapeline',
      instrumentations: [
        new HttpInstrumentation({
          ignoreIncomingRequestHook: (request) => /^\/(stream|ws|metrics|health|readyz)/.test(request.url ?? ''),
        }),
        new PgInstrumentation({ requireParentSpan: true }),
        new PinoInstrumentation({ disableLogSending: true }),
      ],
    })
  : undefined;
sdk?.start();

/** Sends what is still buffered; gives up after two seconds, as a dead collector must not hold the shutdown. */
export async function flushTracing(): Promise<void> {
  if (!sdk) return;
  const late = new Promise((resolve) => setTimeout(resolve, 2000).unref());
  await Promise.race([sdk.shutdown().catch(() => undefined), late]);
}
