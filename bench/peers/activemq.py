"""ActiveMQ Classic as Debian ships it, with KahaDB and its STOMP transport."""

from __future__ import annotations

from pathlib import Path

from segue.bench.peers.peer import Peer, PeerError, debian_version

__all__ = ["ActiveMQ"]

_JAR = Path("/usr/share/activemq/bin/activemq.jar")

_CONFIGURATION = """\
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans
                           http://www.springframework.org/schema/beans/spring-beans-2.0.xsd
                           http://activemq.apache.org/schema/core
                           http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="segue-bench" useJmx="false"
          dataDirectory="{data}">
    <persistenceAdapter><kahaDB directory="{data}/kahadb"/></persistenceAdapter>
    <systemUsage><systemUsage>
      <memoryUsage><memoryUsage percentOfJvmHeap="70"/></memoryUsage>
      <storeUsage><storeUsage limit="40 gb"/></storeUsage>
      <tempUsage><tempUsage limit="5 gb"/></tempUsage>
    </systemUsage></systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp+nio://127.0.0.1:{port}?transport.soTimeout=0"/>
    </transportConnectors>
  </broker>
</beans>
"""

_LOGGING = """\
appender.file.type=File
appender.file.name=file
appender.file.fileName={directory}/activemq.log
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c %m%n
rootLogger.level=WARN
rootLogger.appenderRefs=file
rootLogger.appenderRef.file.ref=file
"""


class ActiveMQ(Peer):
    """A broker of its own. KahaDB syncs its journal before a receipt is sent; that is its default."""

    name = "activemq"
    title = "ActiveMQ"
    durability = "KahaDB, journal synced"
    port = 18713
    main = "java"
    # The first seconds are the interpreter's and the compiler's.
    warm_up_seconds = 6.0

    def version(self) -> str:
        version = debian_version("activemq")
        if not _JAR.exists():
            raise PeerError(f"there is no {_JAR}")
        return version

    def command(self) -> list[str]:
        directory = self.directory.resolve()
        return [
            "java",
            "-Xms64M",
            "-Xmx1G",  # what upstream's start script takes
            "-Dorg.apache.activemq.UseDedicatedTaskRunner=false",
            f"-Dlog4j2.configurationFile={directory}/log4j2.properties",
            "-Dactivemq.home=/usr/share/activemq",
            f"-Dactivemq.base={directory}",
            f"-Dactivemq.conf={directory}",
            f"-Dactivemq.data={directory}/data",
            "-jar",
            str(_JAR),
            "start",
            f"xbean:file:{directory}/activemq.xml",
        ]

    def configure(self) -> None:
        directory = self.directory.resolve()
        configuration = _CONFIGURATION.format(data=directory / "data", port=self.port)
        (directory / "activemq.xml").write_text(configuration, encoding="utf-8")
        (directory / "log4j2.properties").write_text(_LOGGING.format(directory=directory), encoding="utf-8")
