"""A PostgreSQL and a standby that follows it, on loopback."""

from pathlib import Path

from dev.servers import ports
from dev.servers.postgres_programs import PostgresPrograms
from tests.integration.own_postgres import USER, OwnPostgres

NAME = "standby"


class Pair:
    """Every commit waits until the standby has it, too."""

    def __init__(self, folder: Path, programs: PostgresPrograms) -> None:
        self.primary = OwnPostgres(folder / "primary", programs)
        self.standby = OwnPostgres(folder / NAME, programs)

    def start(self, **of_standby: str) -> None:
        self.primary.create()
        self.primary.launch(synchronous_standby_names=NAME, cluster_name="primary")
        source = f"host={ports.LOOPBACK} port={self.primary.port} user={USER}"
        self.standby.run("pg_basebackup", "--pgdata", "data", "-d", source, "-R", "--checkpoint=fast")
        self.standby.launch(cluster_name=NAME, **of_standby)

    def promote(self) -> None:
        self.standby.run("pg_ctl", "promote", "--pgdata", "data")

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.stop()

    def variables(self) -> dict[str, str]:
        """What the commands of a fleet are told; the standby first."""
        hosts = (server.variables()["DB_HOST"] for server in (self.standby, self.primary))
        return {**self.primary.variables(), "DB_HOST": ",".join(hosts)}
