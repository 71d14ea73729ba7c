"""The GraphQL documents of this package: every query, mutation and subscription that the API has.

OBIS codes are asked for in hexadecimal, for the decimal form leaves out group F, and a stored past value
would pass for the present one.
"""

from typing import Final

_DEVICE: Final = """
fragment Device on Device {
  id
  bridge { connectionStatus }
  core { connectionStatus attachmentStatus batteryLevel powerStatus pinStatus }
  localHttpPushStatus
}
"""

_METER: Final = """
fragment Meter on Meter {
  id
  number
  latestReadings { time obisCode(format: hex) value unit }
}
"""

_INSTALLATION: Final = """
fragment Installation on Installation {
  id
  externalId
  license {
    pool { id name }
    term { period autoRenewal }
    startTime
    endTime
    status
  }
  meters { ...Meter }
  currentMeter { id }
  devices { ...Device }
  currentDevice { id }
}
"""

_LICENSE_POOL: Final = """
fragment LicensePool on LicensePool {
  id
  name
  size
  usage
  term { period autoRenewal }
}
"""

_SIGNING_KEY: Final = """
fragment SigningKey on SigningKey {
  id
  name
  enabled
}
"""

_METER_READING: Final = """
fragment MeterReading on MeterReading {
  meter { id number }
  installation { id externalId }
  time
  receiveTime
  values { obisCode(format: hex) value unit }
}
"""

ACCOUNT: Final = f"""
query Account {{
  provider {{
    id
    name
    signingKeys {{ ...SigningKey }}
    licensePools {{ ...LicensePool }}
  }}
}}
{_SIGNING_KEY}{_LICENSE_POOL}"""

INSTALLATIONS: Final = f"""
query Installations($pagination: Pagination) {{
  provider {{
    installations(pagination: $pagination) {{ ...Installation }}
  }}
}}
{_INSTALLATION}{_METER}{_DEVICE}"""

INSTALLATION: Final = f"""
query Installation($id: Uuid, $externalId: String) {{
  provider {{
    installation(id: $id, externalId: $externalId) {{ ...Installation }}
  }}
}}
{_INSTALLATION}{_METER}{_DEVICE}"""

SIGNING_KEY: Final = f"""
query SigningKey($id: Uuid!) {{
  provider {{ signingKey(id: $id) {{ ...SigningKey }} }}
}}
{_SIGNING_KEY}"""

LICENSE_POOL: Final = f"""
query LicensePool($id: Uuid!) {{
  provider {{ licensePool(id: $id) {{ ...LicensePool }} }}
}}
{_LICENSE_POOL}"""

READINGS: Final = f"""
query StoredReadings($startTime: DateTime, $limit: Int, $cursor: String) {{
  provider {{
    readings(startTime: $startTime, limit: $limit, cursor: $cursor) {{
      readings {{ ...MeterReading }}
      cursor
    }}
  }}
}}
{_METER_READING}"""

REGISTER_INSTALLATION: Final = """
mutation CreateRegistrationToken(
  $installationId: Uuid, $externalId: String!, $signingKeyId: Uuid!, $license: LicenseInput!
) {
  createRegistrationToken(
    installationId: $installationId, externalId: $externalId, signingKeyId: $signingKeyId, license: $license
  ) {
    installationId
    token
    qrCode
    deeplink
  }
}
"""

UPDATE_LICENSE: Final = f"""
mutation UpdateLicense($installationId: Uuid!, $setTerm: SetLicenseTerm, $setEndTime: SetLicenseEndTime) {{
  updateLicense(installationId: $installationId, setTerm: $setTerm, setEndTime: $setEndTime) {{
    pool {{ ...LicensePool }}
    term {{ period autoRenewal }}
    startTime
    endTime
    status
  }}
}}
{_LICENSE_POOL}"""

SUBSCRIBE_READINGS: Final = f"""
subscription Readings($startTime: DateTime) {{
  readings(startTime: $startTime) {{ ...MeterReading }}
}}
{_METER_READING}"""

SUBSCRIBE_SCHEDULED_READINGS: Final = """
subscription ScheduledReadings($obisCodes: [ObisCode!]) {
  scheduledReadings(obisCodes: $obisCodes) {
    meter {
      id
      installation { id externalId }
      number
    }
    time
    obisCode(format: hex)
    value
    unit
  }
}
"""
