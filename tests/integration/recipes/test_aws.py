# Copyright: (c) 2026, omni_analytics.connect contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security group of docs/recipes/aws_security_group.yml, in the AWS of moto, looked at by boto3."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import requests

from tests.helpers import harness
from tests.integration.recipes.conftest import ADDRESSES, RECIPES, Play

RECIPE = RECIPES / "aws_security_group.yml"
REGION = "eu-central-1"
KEY = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
KEPT = [
    ("tcp", 5432, "192.0.2.10/32"),
    ("tcp", 5432, "192.0.2.11/32"),
    ("tcp", 5432, "198.51.100.16/29"),
    ("tcp", 5432, "2001:db8:100::7/128"),
]


class Aws:
    """An AWS account: a VPC, an instance and a cluster in it, and a security group of somebody else's."""

    def __init__(self, url: str, play: Play) -> None:
        client = import_module("boto3").client
        self.ec2, self.rds = (
            client(name, endpoint_url=url, region_name=REGION, **KEY) for name in ("ec2", "rds")
        )
        self._play = play
        self.env = {"AWS_ENDPOINT_URL": url, **{name.upper(): value for name, value in KEY.items()}}
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24")["Subnet"]["SubnetId"]
            for number in (1, 2)
        ]
        self.rds.create_db_subnet_group(
            DBSubnetGroupName="subnets", DBSubnetGroupDescription="of the test", SubnetIds=subnets
        )
        self.office = self.ec2.create_security_group(GroupName="office", Description="ours", VpcId=self.vpc)[
            "GroupId"
        ]
        database = {
            "MasterUsername": "admin",
            "MasterUserPassword": "a-password",
            "DBSubnetGroupName": "subnets",
            "VpcSecurityGroupIds": [self.office],
        }
        self.rds.create_db_instance(
            DBInstanceIdentifier="sales",
            Engine="postgres",
            DBInstanceClass="db.m5.large",
            AllocatedStorage=20,
            **database,
        )
        self.rds.create_db_cluster(DBClusterIdentifier="support", Engine="aurora-postgresql", **database)

    def play(self, **options: Any) -> harness.Run:
        variables = {
            "aws_region": REGION,
            "aws_vpc_id": self.vpc,
            "aws_rds_instances": ["sales"],
            "aws_rds_clusters": ["support"],
            **options.pop("variables", {}),
        }
        return self._play(RECIPE, variables, self.env, **options)

    def group(self, name: str = "omni") -> dict[str, Any] | None:
        found = self.ec2.describe_security_groups(
            Filters=[{"Name": "vpc-id", "Values": [self.vpc]}, {"Name": "group-name", "Values": [name]}]
        )["SecurityGroups"]
        return found[0] if found else None

    def rules(self, name: str = "omni") -> list[tuple[str, int, str]]:
        group = self.group(name)
        assert group
        return sorted(
            (rule["IpProtocol"], rule["FromPort"], found.get("CidrIp") or found["CidrIpv6"])
            for rule in group["IpPermissions"]
            for found in [*rule["IpRanges"], *rule["Ipv6Ranges"]]
        )

    def groups_of_databases(self) -> list[list[str]]:
        instance = self.rds.describe_db_instances(DBInstanceIdentifier="sales")["DBInstances"][0]
        cluster = self.rds.describe_db_clusters(DBClusterIdentifier="support")["DBClusters"][0]
        return [
            sorted(group["VpcSecurityGroupId"] for group in one["VpcSecurityGroups"])
            for one in (instance, cluster)
        ]


@pytest.fixture(scope="module")
def _moto() -> Iterator[str]:
    server = import_module("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(_moto: str, play: Play) -> Aws:
    requests.post(f"{_moto}/moto-api/reset", timeout=30).raise_for_status()
    return Aws(_moto, play)


def test_lifecycle(aws: Aws) -> None:
    checked = aws.play(check=True, diff=True)
    assert (checked.rc, checked.result("Keep the security group").status) == (0, "changed"), checked.text
    assert aws.group() is None

    made = aws.play()
    assert made.rc == 0, made.text
    assert aws.rules() == KEPT
    group = aws.group()
    assert group
    assert aws.groups_of_databases() == [sorted([aws.office, group["GroupId"]])] * 2

    again = aws.play()
    assert (again.rc, again.recap["localhost"]["changed"]) == (0, 0), again.text

    # An address is given up, another one comes, and somebody has let in another by hand.
    aws.ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"], IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="203.0.113.99/32"
    )
    other = {"omni_postgres_allowlist": [*ADDRESSES[1:], "203.0.113.5"]}
    checked = aws.play(check=True, diff=True, variables=other)
    assert checked.result("Keep the security group").status == "changed"
    assert "203.0.113.5/32" in checked.text
    assert len(aws.rules()) == 5
    assert aws.play(variables=other).rc == 0
    assert aws.rules() == sorted([*KEPT[1:], ("tcp", 5432, "203.0.113.5/32")])


def test_a_group_that_others_share(aws: Aws) -> None:
    aws.ec2.authorize_security_group_ingress(
        GroupId=aws.office, IpProtocol="tcp", FromPort=5432, ToPort=5432, CidrIp="203.0.113.99/32"
    )
    theirs = ("tcp", 5432, "203.0.113.99/32")
    shared = {
        "aws_security_group": "office",
        "aws_security_group_description": "ours",
        "aws_security_group_shared": True,
    }
    run = aws.play(variables=shared)
    assert run.rc == 0, run.text
    assert aws.rules("office") == sorted([*KEPT, theirs])
    assert aws.groups_of_databases() == [[aws.office]] * 2
    fewer = aws.play(variables={**shared, "omni_postgres_allowlist": ADDRESSES[1:3]})
    assert (fewer.rc, fewer.recap["localhost"]["changed"]) == (0, 0), fewer.text
    assert aws.rules("office") == sorted([*KEPT, theirs])
    told = fewer.result("Name what a shared group still lets in for Omni").result["msg"]
    assert "not in omni_postgres_allowlist any more: 192.0.2.10/32, 2001:db8:100::7/128." in told
