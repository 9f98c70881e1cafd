"""Made-up people. Their ID numbers pass every check, and the address code was never given out."""

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

FEMALE = [
    "其其格", "琪琪格", "萨仁", "萨日娜", "莎日娜", "阿茹娜", "阿如娜", "娜仁花", "乌兰图雅",
    "乌云", "乌云其木格", "阿拉坦花", "斯琴", "斯琴高娃", "格日勒图雅", "苏布达", "塔娜",
    "王秀英", "李芳", "张丽娟", "刘桂兰", "陈玉梅", "包萨仁", "白乌云",
]
MALE = ["巴特尔", "巴雅尔", "朝鲁", "额尔敦", "恩和", "呼和", "王建国", "李志强", "包巴图"]


def id_number(birth, sequence):
    """A valid number: ``birth`` is ``YYYY-MM-DD``, the sequence is even for a woman."""
    body = f"999999{birth.replace('-', '')}{sequence:03}"
    total = sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS))
    return body + "10X98765432"[total % 11]


def woman(name="其其格", birth="1985-06-07", sequence=124):
    """What is typed of a woman."""
    return {
        "identity.name": name,
        "identity.sex": "2",
        "identity.id_type": "01",
        "identity.id_no": id_number(birth, sequence),
        "identity.birth_date": birth,
    }


def household(number="0101"):
    """What is typed of a household."""
    return {
        "household.household_no": number,
        "household.head_name": "巴特尔",
        "household.head_sex": "1",
        "household.area_type": "1",
        "household.residence_status": "1",
        "household.resident_population": 4,
        "household.resident_female": 2,
        "household.main_camp": "1",
    }
