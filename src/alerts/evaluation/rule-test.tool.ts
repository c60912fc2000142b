export { type RuleTestResult, runRuleTests } from './rule-test.js';
