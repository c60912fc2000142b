import { Module } from '@nestjs/common';
import { makeCounterProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { ChannelCircuits } from './channels/channel-circuits.service.js';
import { ChannelSender } from './channels/channel-sender.service.js';
import { ChannelStore } from './channels/channel.store.js';
import { ChannelsController } from './channels/channels.controller.js';
import { Channels } from './channels/channels.service.js';
import { HttpPost } from './channels/http-post.service.js';
import { Mailer } from './channels/mailer.service.js';
import { TargetGuard } from './channels/target-guard.service.js';
import { Delivery } from './notifications/delivery.service.js';
import { DeliveryStore } from './notifications/delivery.store.js';
import { NoticeStore } from './notifications/notice.store.js';
import { NotificationLetters } from './notifications/notification-letters.service.js';
import { NOTIFICATION_METRICS, NotificationMetrics } from './notifications/notification-metrics.service.js';
import { NotificationSettingsStore } from './channels/notification-settings.store.js';
import { NotificationStore } from './notifications/notification.store.js';
import { NotificationsController } from './notifications/notifications.controller.js';
import { Notifications } from './notifications/notifications.service.js';
import { AlertRetention } from './episodes/alert-retention.service.js';
import { AlertStore } from './episodes/alert.store.js';
import { AlertsController } from './episodes/alerts.controller.js';
import { Alerts } from './episodes/alerts.service.js';
import { Episodes } from './episodes/episodes.service.js';
import { HistoryStore } from './episodes/history.store.js';
import { RuleStateStore } from './episodes/rule-state.store.js';
import { BacktestsController } from './evaluation/backtests.controller.js';
import { Backtests } from './evaluation/backtests.service.js';
import { EvaluatorHandler } from './evaluation/evaluator.handler.js';
import { EvaluatorRunner } from './evaluation/evaluator-runner.service.js';
import { Evaluator } from './evaluation/evaluator.service.js';
import { EvaluatorStore } from './evaluation/evaluator.store.js';
import { History } from './evaluation/history.service.js';
import { TransitionWriter } from './evaluation/transition-writer.service.js';
import { WarmUp } from './evaluation/warm-up.service.js';
import { RuleStore } from './rules/rule.store.js';
import { RulesController } from './rules/rules.controller.js';
import { Rules } from './rules/rules.service.js';
import { SilenceStore } from './silences/silence.store.js';
import { SilencesController } from './silences/silences.controller.js';
import { Silences } from './silences/silences.service.js';

@Module({
  controllers: [
    BacktestsController,
    ChannelsController,
    NotificationsController,
    RulesController,
    AlertsController,
    SilencesController,
  ],
  providers: [
    ChannelCircuits,
    ChannelSender,
    ChannelStore,
    Channels,
    HttpPost,
    Mailer,
    TargetGuard,
    Delivery,
    DeliveryStore,
    NoticeStore,
    NotificationLetters,
    NotificationMetrics,
    ...NOTIFICATION_METRICS,
    NotificationSettingsStore,
    NotificationStore,
    Notifications,
    AlertRetention,
    Alerts,
    AlertStore,
    Backtests,
    Episodes,
    Evaluator,
    EvaluatorHandler,
    EvaluatorRunner,
    EvaluatorStore,
    History,
    TransitionWriter,
    WarmUp,
    HistoryStore,
    RuleStateStore,
    Rules,
    RuleStore,
    Silences,
    SilenceStore,
    makeCounterProvider({ name: 'alert_evaluations_total', help: 'Conditions of rules that were evaluated' }),
    makeCounterProvider({
      name: 'alert_late_trades_total',
      help: 'Trades that rules were not evaluated on: older than one before, too old to be told of, or far ahead',
      labelNames: ['result'],
    }),
    makeCounterProvider({
      name: 'alert_evaluation_failures_total',
      help: 'Transitions that could not be recorded and were given up',
      labelNames: ['reason'],
    }),
    makeHistogramProvider({
      name: 'alert_fired_latency_seconds',
      help: 'From the instant that a rule fired at, in event time, until that was committed',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    }),
    makeCounterProvider({
      name: 'alert_transitions_total',
      help: 'Transitions of rules and manual alerts that were recorded, by what they are',
      labelNames: ['to'],
    }),
  ],
})
export class AlertsModule {}
