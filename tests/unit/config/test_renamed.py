import pytest

from pose_inpaint.config.renamed import check_renamed, check_renamed_config
from pose_inpaint.errors import InputError


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("critic=discriminator2018", "critic: is now called discriminator"),
        ("+critic.width=8,16", "critic.width: is now called discriminator.width"),
        ("share_edges=[0,1]", "share_edges: is now called mask_ratio_edges"),
        ("optim.critic_optimizer.lr=1e-4,1e-3", "optim.critic_optimizer.lr: is now called "),
        ("++guard.critic_loss=null", "guard.critic_loss: is now called guard.discriminator_loss"),
        ("schedule.phases.1.critic_steps=5", "schedule.phases.1.critic_steps: is now called "),
        ("schedule.phases=[{name: a, critic_steps: 2}]", "schedule.phases.0.critic_steps: is now called "),
        ("schedule.phases=[{name: a}],[{name: a, fresh_completion: true}]", "schedule.phases.0.fresh_completion: is "),
        ("pose.pictures=[raw]", "pose.pictures: is now called pose.images"),
        ("loss.discriminator={picture: raw}", "loss.discriminator.picture: is now called loss.discriminator.image"),
        ("sheet.each=2", "sheet.each: is now called contact_sheet.each"),
        ("pose.joints=all,hidden", "pose.joints=hidden: is now called pose.joints=masked"),
        ("train=['trainer=cpu','critic.width=16']", "train: critic.width: is now called discriminator.width"),
        ("evaluate=['sheet.each=2']", "evaluate: sheet.each: is now called contact_sheet.each"),
        ("report=['share_edges=[0,1]']", "report: share_edges: is now called mask_ratio_edges"),
        ("methods.a.overrides=['critic=none']", "methods.a.overrides: critic: is now called discriminator"),
        ("+methods.a={experiment: b, overrides: ['critic=none']}", "methods.a.overrides: critic: is now called "),
        ("loss.generator.hole.picture=raw", "loss.generator.hole.picture: is now called loss.generator.hole.image"),
        ("~systems.telea", "systems.telea: is now called methods.telea"),
        ("pose.joints=hidden", "pose.joints=hidden: is now called pose.joints=masked"),
        ("+experiment=slides_systems", "experiment=slides_systems: is now called experiment=slides_methods"),
    ],
)  # fmt: skip
def test_an_old_name_is_refused_with_the_new_one(override, message):
    with pytest.raises(InputError) as refused:
        check_renamed(["seed=1", override])
    assert str(refused.value).startswith(message)


@pytest.mark.parametrize(
    "override",
    [
        "discriminator=none", "data.root=/critic/pictures", "name=critic", "-m", "mask={_target_: a.b, share: 1}",
        "+methods.critic={model: telea}", "methods.sheet.overrides=[name=systems]", "+metric.picture.x=1",
        "name='a, critic: b'",
        "train=['name=critic','trainer=cpu']", "~methods.systems", "+loss.generator.picture.weight=1",
        "+model.critic=true", "schedule.phases=[{name: critic}]", "name={", "--help",
    ],
)  # fmt: skip
def test_todays_keys_and_values_pass(override):
    check_renamed([override])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"seed": 1, "schedule": {"phases": [{"name": "a"}, {"critic_steps": 5}]}},
            "schedule.phases.1.critic_steps: is ",
        ),
        ({"loss": {"generator": {"hole": {"picture": "raw"}}}}, "loss.generator.hole.picture: is now called "),
        ({"train": ["critic=none"]}, "train: critic: is now called discriminator"),
        ({"pose": {"joints": "hidden"}}, "pose.joints=hidden: is now called pose.joints=masked"),
    ],
)
def test_an_old_name_in_a_file_is_refused_too(config, message):
    with pytest.raises(InputError) as refused:
        check_renamed_config(config)
    assert str(refused.value).startswith(message)
