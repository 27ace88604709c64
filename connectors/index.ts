/** Every connector, by id. Written by build/registry.ts from the folders here; edits are lost. */
import type { AnyDestination, AnySource, Registry } from '../core/kit/define.ts'
import activecampaignDestination from './activecampaign/destination.ts'
import activecampaignSandbox from './activecampaign/sandbox.ts'
import brevoDestination from './brevo/destination.ts'
import brevoSandbox from './brevo/sandbox.ts'
import fcmDestination from './fcm/destination.ts'
import fcmSandbox from './fcm/sandbox.ts'
import fileSource from './file/source.ts'
import ga4Destination from './ga4/destination.ts'
import ga4Sandbox from './ga4/sandbox.ts'
import googleAdsDestination from './google-ads/destination.ts'
import googleAdsSandbox from './google-ads/sandbox.ts'
import gtmSource from './gtm/source.ts'
import hubspotDestination from './hubspot/destination.ts'
import hubspotSandbox from './hubspot/sandbox.ts'
import klaviyoDestination from './klaviyo/destination.ts'
import klaviyoSandbox from './klaviyo/sandbox.ts'
import linkedinDestination from './linkedin/destination.ts'
import linkedinSandbox from './linkedin/sandbox.ts'
import mailchimpDestination from './mailchimp/destination.ts'
import mailchimpSandbox from './mailchimp/sandbox.ts'
import metaDestination from './meta/destination.ts'
import metaSandbox from './meta/sandbox.ts'
import onesignalDestination from './onesignal/destination.ts'
import onesignalSandbox from './onesignal/sandbox.ts'
import pipedriveDestination from './pipedrive/destination.ts'
import pipedriveSandbox from './pipedrive/sandbox.ts'
import rdstationDestination from './rdstation/destination.ts'
import rdstationSandbox from './rdstation/sandbox.ts'
import rdstationSource from './rdstation/source.ts'
import rdstationCrmDestination from './rdstation-crm/destination.ts'
import rdstationCrmSandbox from './rdstation-crm/sandbox.ts'
import rdstationCrmSource from './rdstation-crm/source.ts'
import rudderstackDestination from './rudderstack/destination.ts'
import rudderstackSandbox from './rudderstack/sandbox.ts'
import rudderstackSource from './rudderstack/source.ts'
import salesforceDestination from './salesforce/destination.ts'
import salesforceSandbox from './salesforce/sandbox.ts'
import segmentDestination from './segment/destination.ts'
import segmentSandbox from './segment/sandbox.ts'
import segmentSource from './segment/source.ts'
import sendgridDestination from './sendgrid/destination.ts'
import sendgridSandbox from './sendgrid/sandbox.ts'
import slackDestination from './slack/destination.ts'
import slackSandbox from './slack/sandbox.ts'
import smtpDestination from './smtp/destination.ts'
import smtpSandbox from './smtp/sandbox.ts'
import tiktokDestination from './tiktok/destination.ts'
import tiktokSandbox from './tiktok/sandbox.ts'
import webhookDestination from './webhook/destination.ts'
import webhookSandbox from './webhook/sandbox.ts'
import webhookSource from './webhook/source.ts'
import whatsappDestination from './whatsapp/destination.ts'
import whatsappSandbox from './whatsapp/sandbox.ts'

const sources: readonly AnySource[] = [
  fileSource,
  gtmSource,
  rdstationSource,
  rdstationCrmSource,
  rudderstackSource,
  segmentSource,
  webhookSource,
]

const destinations: readonly AnyDestination[] = [
  activecampaignDestination,
  brevoDestination,
  fcmDestination,
  ga4Destination,
  googleAdsDestination,
  hubspotDestination,
  klaviyoDestination,
  linkedinDestination,
  mailchimpDestination,
  metaDestination,
  onesignalDestination,
  pipedriveDestination,
  rdstationDestination,
  rdstationCrmDestination,
  rudderstackDestination,
  salesforceDestination,
  segmentDestination,
  sendgridDestination,
  slackDestination,
  smtpDestination,
  tiktokDestination,
  webhookDestination,
  whatsappDestination,
]

export const registry: Registry = {
  sources: new Map(sources.map((source) => [source.id, source])),
  destinations: new Map(destinations.map((destination) => [destination.id, destination])),
}

/** Stand-ins for the vendors, for the demo and the contract tests, by connector id. */
export const sandboxes = {
  activecampaign: activecampaignSandbox,
  brevo: brevoSandbox,
  fcm: fcmSandbox,
  ga4: ga4Sandbox,
  'google-ads': googleAdsSandbox,
  hubspot: hubspotSandbox,
  klaviyo: klaviyoSandbox,
  linkedin: linkedinSandbox,
  mailchimp: mailchimpSandbox,
  meta: metaSandbox,
  onesignal: onesignalSandbox,
  pipedrive: pipedriveSandbox,
  rdstation: rdstationSandbox,
  'rdstation-crm': rdstationCrmSandbox,
  rudderstack: rudderstackSandbox,
  salesforce: salesforceSandbox,
  segment: segmentSandbox,
  sendgrid: sendgridSandbox,
  slack: slackSandbox,
  smtp: smtpSandbox,
  tiktok: tiktokSandbox,
  webhook: webhookSandbox,
  whatsapp: whatsappSandbox,
} as const
